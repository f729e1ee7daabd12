"""Files that clients send ahead, and inputs that refer to them."""
