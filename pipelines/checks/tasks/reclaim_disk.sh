#!/usr/bin/env bash
# Makes room on a hosted runner: removes SDKs and images that the builds of this repository do not use.
set -euo pipefail
df --human-readable --output=avail / | tail -n 1
sudo rm -rf /usr/local/lib/android /usr/share/dotnet /usr/share/swift /usr/local/.ghcup /opt/ghc \
  /opt/hostedtoolcache/CodeQL /opt/az /opt/microsoft /usr/local/share/powershell /usr/local/share/chromium
if command -v docker >/dev/null; then sudo docker image prune --all --force >/dev/null; fi
df --human-readable --output=avail / | tail -n 1
