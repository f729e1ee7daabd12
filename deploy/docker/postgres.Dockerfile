FROM postgres:18
# A volume that is mounted here for the first time takes over the owner: the server never has to be root to make its
# folder its own.
RUN install --directory --owner postgres --group postgres --mode 0700 /var/lib/postgresql
USER postgres
