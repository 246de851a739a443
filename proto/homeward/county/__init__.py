"""Generated messages and services; edit the .proto beside them."""
