#!/usr/bin/env bash
# Smoke test of a deployment: vLLM, and vLLM through the chat application. The same as `archi smoke`:
#   SMOKE_PROVIDER=vllm SMOKE_VLLM_BASE_URL=… SMOKE_VLLM_MODEL=… scripts/dev/run_smoke_preview.sh NAME
# All three variables can be left out; --help says the rest.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${VENV:-$root/.venv}/bin/python
if [ ! -x "$python" ]; then
  echo "There is no virtual environment at ${python%/bin/python}. Mend: \`make venv\` first." >&2
  exit 1
fi
exec "$python" -m archi.cli.smoke "$@"
