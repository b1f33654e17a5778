#!/usr/bin/env bash
# Smoke test of a deployment: is vLLM reachable, does an answer come through the chat application?
#   SMOKE_PROVIDER=vllm SMOKE_VLLM_BASE_URL=… SMOKE_VLLM_MODEL=… scripts/dev/run_smoke_preview.sh NAME
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${VENV:-$root/.venv}/bin/python
if [ ! -x "$python" ]; then
  echo "There is no virtual environment at ${python%/bin/python}. Run 'make venv' first." >&2
  exit 2
fi
cd "$root"
exec "$python" -m archi.smoke "$@"
