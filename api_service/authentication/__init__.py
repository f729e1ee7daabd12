"""Who asks: API keys from the database, and tokens that an OpenID Connect issuer has signed."""
