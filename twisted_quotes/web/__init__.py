"""
HTTP: everything that imports Klein or twisted.web.

Only the composition imports it, when it makes a service, because importing Klein
installs a reactor. A request goes through C{server}, then C{api} or C{pages}.
"""
