#!/usr/bin/env bash
# Copies the source for a build and changes it if it is asked to. Leaves build/args, which a Dockerfile can read as
# arguments and a shell as variables, build/labels, by which an image leads back to its commit, and build/title of $TITLE.
set -euo pipefail

cp -a repo/. prepared
cd prepared
VERSION=$(cat ../version/version)
COMMITHASH=$(git rev-parse HEAD)
BUILDTIME=$(git show -s --format=%cI HEAD)
export VERSION COMMITHASH BUILDTIME
printf '%s\n' "VERSION=$VERSION" "COMMITHASH=$COMMITHASH" "BUILDTIME=$BUILDTIME" >../build/args
printf 'org.opencontainers.image.%s\n' "version=$VERSION" "revision=$COMMITHASH" "source=$SOURCE" "created=$BUILDTIME" >../build/labels
[ -z "${TITLE-}" ] || printf '%s\n' "${TITLE//\{version\}/$VERSION}" >../build/title
bash -euo pipefail -c "$COMMAND"
