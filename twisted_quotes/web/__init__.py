"""
HTTP: everything that imports Klein or twisted.web.

Only the packages C{service} and C{workers} import it. Importing Klein installs a
reactor, so the modules that need Klein are imported when a service is made. A request
goes through C{server}, then C{api} or C{pages}.
"""
