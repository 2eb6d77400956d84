"""The web pages of the control plane: rendered on the server from records, readable without JavaScript.

`routes(store)` gives all of them. A page is a template and a function that asks the store for what it shows.
"""

from assay.server.pages.site import routes

__all__ = ["routes"]
