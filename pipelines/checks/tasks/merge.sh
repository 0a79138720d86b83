#!/usr/bin/env bash
# Has GitHub merge the pull request of a bot when its rules are met.
set -euo pipefail
case " $AUTHORS " in
  *" $AUTHOR "*) ;;
  *)
    echo "$AUTHOR is not one of $AUTHORS: a person merges this one"
    exit 0
    ;;
esac
gh pr merge --auto "--$METHOD" --match-head-commit "$HEAD" "$URL"
