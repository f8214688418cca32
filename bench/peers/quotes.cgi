#!/bin/sh
# Parse the JSON in the shell: starting jq takes longer than grep.
IFS= read -r body
term=${body#*'"term": "'}
term=${term%%'"'*}
dictionary=${body#*'"dictionary": "'}
dictionary=${dictionary%%'"'*}
case $body in
    *'"action": "all"'*) term= ;;
esac
printf 'Content-Type: text/plain\r\n\r\n'
exec grep -a -F -e "$term" -- "$LIBRARY/$dictionary"
