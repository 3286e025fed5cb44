#!/bin/sh
# Keeps the code blocks of README.md and docs/*.md equal to the compiled files they are cut from.
#
#   sh cmake/snippets.sh check    fails and shows the difference where a block is not what its file says
#   sh cmake/snippets.sh write    rewrites the blocks
#
# In a document:   <!-- snippet examples/01_quantize_a_matrix.cpp five_lines -->   followed by a ```cpp block.
# In the file:     the lines between `// [snippet five_lines]` and `// [end five_lines]`, without common indentation.
set -eu
mode=${1:-check}
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The lines of section $2 of file $1, indentation of the first line taken off all.
cut_snippet() {
  awk -v name="$2" '
    index($0, "// [snippet " name "]") { inside = 1; next }
    index($0, "// [end " name "]") { found = 1; exit }
    inside { if (!seen) { match($0, /^ */); indent = RLENGTH; seen = 1 }
             print substr($0, 1, indent) ~ /^ *$/ ? substr($0, indent + 1) : $0 }
    END { if (!found) exit 3 }' "$1"
}

failed=0
count=0
for document in README.md docs/*.md; do
  # Marks become lines of their own in a list, so that file names may hold spaces.
  sed -n 's/^<!-- snippet \(.*\) \([a-z0-9_]*\) -->$/\1|\2/p' "$document" > "$work/marks"
  cp "$document" "$work/document"
  while IFS='|' read -r file name; do
    count=$((count + 1))
    if ! cut_snippet "$file" "$name" > "$work/snippet"; then
      echo "$document: $file has no section [snippet $name] with an [end $name]" >&2
      failed=1
      continue
    fi
    awk -v mark="<!-- snippet $file $name -->" -v text="$work/snippet" '
      { print }
      $0 == mark { wait = 1 }
      wait && $0 == "```cpp" { while ((getline line < text) > 0) print line; close(text)
                               while ((getline line) > 0 && line != "```") {} print "```"; wait = 0 }' \
      "$work/document" > "$work/next"
    mv "$work/next" "$work/document"
  done < "$work/marks"
  if [ "$mode" = write ]; then
    cmp -s "$work/document" "$document" || cp "$work/document" "$document"
  elif ! diff -u "$document" "$work/document"; then
    echo "$document differs from the files its snippets are cut from: sh cmake/snippets.sh write" >&2
    failed=1
  fi
done
echo "$count snippets"
[ "$count" -gt 0 ] || failed=1
exit "$failed"
