#!/usr/bin/env bash
# Fails unless each app's edge image has the newest change of its files. A line of APPS is the artifact that an edge image was built
# of, and the paths of the app. The git resource makes no version of a commit marked [ci skip], nor of one inside of a merged branch,
# so that no image can be built of them: these are not the newest change.
set -euo pipefail

missing=''
while IFS=$'\t' read -r -a app; do
  newest=$(git -C repo log -1 --first-parent --invert-grep --grep='\[ci\sskip\]' --grep='\[skip\sci\]' --format=%H -- "${app[@]:1}")
  if [ -n "$newest" ] && ! git -C "${app[0]}" merge-base --is-ancestor "$newest" HEAD 2>/dev/null; then
    missing=yes
    echo "${app[0]}: no edge image is built yet of commit ${newest:0:7}; this job runs again when there is one" >&2
  fi
done <<<"$APPS"
[ -z "$missing" ]
