#!/bin/sh
# Label Studio reads its secrets from the environment only: a variable VARIABLE_FILE that names a file becomes VARIABLE.
set -eu
for name in POSTGRE_PASSWORD LABEL_STUDIO_PASSWORD LABEL_STUDIO_USER_TOKEN; do
  eval "value=\${$name:-} file=\${${name}_FILE:-}"
  test -n "$file" || continue
  test -z "$value" || { echo "$name and ${name}_FILE are both set; take one away." >&2; exit 1; }
  test -r "$file" && test -s "$file" || { echo "${name}_FILE: $file cannot be read, or is empty; see make secrets." >&2; exit 1; }
  export "$name=$(cat "$file")"
  unset "${name}_FILE"
done
exec "$@"
