#!/usr/bin/env bash
# Writes the kubeconfig to a file that is removed when the script ends. Messages never show its text, which is a secret.
set -euo pipefail
umask 077

case $KUBECONFIG_TEXT in
'') wrong='is empty: store the text of a kubeconfig in the secret that it refers to' ;;
*:*) wrong='' ;;
*) wrong='is neither YAML nor JSON: if the secret holds base64, store the decoded text' ;;
esac
[ -z "$wrong" ] || { echo "the value kubeconfig (KUBECONFIG_TEXT) $wrong" >&2 && exit 1; }
KUBECONFIG=$(mktemp)
trap 'rm -f "$KUBECONFIG"' EXIT
printf '%s\n' "$KUBECONFIG_TEXT" >"$KUBECONFIG"
export KUBECONFIG
