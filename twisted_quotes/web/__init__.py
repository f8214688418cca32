"""
HTTP: everything that imports Klein or twisted.web.

Only the composition imports it, when a service is made: to import Klein installs a
reactor. A request goes through C{server}, then C{api} or C{pages}.
"""
