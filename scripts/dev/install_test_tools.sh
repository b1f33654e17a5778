#!/usr/bin/env bash
# What the tests need on the machine beside what `make up` puts there: a browser.
set -euo pipefail
if command -v chromium >/dev/null; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "The browser tests need Chromium as 'chromium' on the PATH; install it and run again." >&2
  exit 2
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "The browser tests need Chromium. Mend: sudo apt-get install chromium" >&2
    exit 2
  fi
  sudo=(sudo)
fi
echo "About to install on this machine: chromium (apt)"
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
