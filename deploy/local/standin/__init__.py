"""A stand-in for Google Cloud Pub/Sub: its gRPC protocol, served from memory by one small process.

    names, limits, settings   what a request may say
    message, ordering, policy, deadlines, subscription
                              what happens to messages: plain state with a clock handed in
    filters                   the language of subscription filters
    topic, snapshot, registry what there is, and what belongs to what
    faults                    what goes wrong on request
    desk                      who waits for messages
    publisher, subscriber, streaming, received, paging, iam, schemas
                              the services
    commands, control_service, control
                              how it is told what shall go wrong
    rpc, server, process      gRPC, and a process around it

docs/broker.md tells how it differs from Google's.
"""
