#!/usr/bin/env bash
# What the tests need on the machine beside what `make up` puts there: a browser and a registry.
set -euo pipefail
missing=()
for package in chromium docker-registry; do
  command -v "$package" >/dev/null || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "The tests need on the PATH: ${missing[*]}. Install them and run again." >&2
  exit 2
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "The tests need more. Mend: sudo apt-get install ${missing[*]}" >&2
    exit 2
  fi
  sudo=(sudo)
fi
echo "About to install on this machine: ${missing[*]} (apt)"
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
