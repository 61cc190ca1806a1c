"""The API described as OpenAPI, and what a change of the description breaks."""
