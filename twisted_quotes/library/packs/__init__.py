"""
The packs of a library: its indexes, for searches of quotes or of all dictionaries.

A pack is the index of consecutive dictionaries. Read
L{provider<twisted_quotes.library.packs.provider>} first: it decides with
L{plan<twisted_quotes.library.packs.plan>} which packs a library needs, takes them from
L{cache<twisted_quotes.library.packs.cache>}, or has
L{building<twisted_quotes.library.packs.building>} write them.
L{pack<twisted_quotes.library.packs.pack>} describes the files of a pack.
"""
