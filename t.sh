set -euo pipefail
as_root(){ env sleep 7; }
as_root </dev/null >/dev/null 2>&1 &
p=$!
sleep 0.3; kill $p; sleep 0.3; pgrep -fa "sleep 7" || echo none
