"""
The operations, from which the routes and the documentation are made.

The table of all is C{OPERATIONS} in L{routes <twisted_quotes.web.api.routes>}. To add a
route, add an operation to the module of its topic, such as L{quotes
<twisted_quotes.web.api.operations.quotes>}, and to the tuple at its end.
"""
