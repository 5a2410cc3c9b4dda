#!/usr/bin/env bash
# The tour of Weir without a browser: each step is printed as the command that a person would type, run exactly so, and checked.
# It uses the `weir` command and curl; its own server, on a free port, with its own data, which is gone afterwards.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH="$root/node_modules/.bin:$PATH"
for program in weir curl sha256sum; do
  command -v "$program" >/dev/null || { echo "The demo needs $program. Run: npm ci; sudo apt-get install -y curl coreutils" >&2; exit 1; }
done

work=$(mktemp -d)
cd "$work"
unset WEIR_TOKEN WEIR_TOKEN_FILE WEIR_SERVER WEIR_CONFIG
export WEIR_DATA="$work/data" WEIR_KEYS__DIRECTORY="$work/keys" WEIR_HOME="$work/home"
server=
reader=
clean() {
  [ -z "$reader" ] || kill "$reader" 2>/dev/null || true
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  cd / && rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
# Prints the command and runs it in this shell, so that the variables it sets stay.
run() { printf '$ %s\n' "$1"; eval "$1"; }
shown() { printf '  %s\n' "$1"; }
failed() { printf '\nThe demo failed: %s\n' "$1" >&2; tail -n 20 "$work/weir.log" >&2; exit 1; }

step 'A server of its own'
shown 'weir up --no-open --port 0   (in the background, data in a temporary folder)'
weir up --no-open --port 0 >ready.txt 2>weir.log &
server=$!
for _ in $(seq 600); do
  grep -q '^ready ' ready.txt && break
  kill -0 "$server" 2>/dev/null || failed 'the server ended'
  sleep 0.2
done
run 'WEIR=$(sed -n "s/^ready //p" ready.txt); echo "$WEIR"'
[ -n "$WEIR" ] || failed 'the server was not ready within two minutes'

step 'Two people, each with a token of an hour'
run 'echo "Authorization: Bearer $(weir token issue --principal alice --quiet)" > alice'
run 'echo "Authorization: Bearer $(weir token issue --principal bob --quiet)" > bob'

step 'Alice uploads a clip'
cp "$root/packages/fleet/assets/clip.mp4" clip.mp4
# An empty box at its end makes it her own file: the bundled clip itself is open to everyone who signs in.
printf '\0\0\0\010free' >> clip.mp4
run 'CID=$(curl -fsS -H @alice -T clip.mp4 -X POST "$WEIR/api/v1/content?filename=clip.mp4" | grep -o "\"cid\":\"[^\"]*" | cut -d\" -f4); echo "$CID"'
[ -n "$CID" ] || failed 'the upload gave no content id'

step 'Only she may use it'
run 'curl -fsS -H @alice -X PUT -H "Content-Type: application/json" -d "{\"level\":\"private\"}" "$WEIR/api/v1/policies/$CID"; echo'
run 'STATUS=$(curl -s -o /dev/null -w "%{http_code}" -H @bob "$WEIR/api/v1/content/$CID"); echo "bob: $STATUS"'
[ "$STATUS" = 404 ] || failed "bob got $STATUS"

step 'A worker makes a smaller one'
run 'JOB=$(curl -fsS -H @alice -H "Content-Type: application/json" -d "{\"recipe\":\"mp4-h264\",\"parameters\":{\"height\":240},\"inputs\":[{\"cid\":\"$CID\"}]}" "$WEIR/api/v1/jobs" | grep -o "\"job_id\":\"[^\"]*" | cut -d\" -f4); echo "$JOB"'
for _ in $(seq 600); do
  state=$(curl -fsS -H @alice "$WEIR/api/v1/jobs/$JOB" | grep -o '"state":"[^"]*' | cut -d'"' -f4)
  case "$state" in completed) break ;; failed | canceled) failed "the job $state" ;; esac
  sleep 0.2
done
run 'curl -fsS -H @alice "$WEIR/api/v1/jobs/$JOB" > job.json; grep -o "\"state\":\"[^\"]*\"" job.json'
[ "$state" = completed ] || failed "the job is still $state"
run 'SMALL=$(grep -o "\"outputs\":\[{[^]]*" job.json | grep -o "\"cid\":\"[^\"]*" | cut -d\" -f4); echo "$SMALL"'
[ -n "$SMALL" ] || failed 'the job has no output'

step 'Anyone who has the link may play it'
run 'LINK=$(curl -fsS -H @alice -H "Content-Type: application/json" -d "{\"cid\":\"$SMALL\",\"expires_in\":600}" "$WEIR/api/v1/grants" | grep -o "\"url\":\"[^\"]*" | cut -d\" -f4); echo "${LINK:0:100}…"'
run 'curl -fsS -o played.mp4 "$LINK"; curl -fsS -H @alice -o small.mp4 "$WEIR/api/v1/content/$SMALL"; sha256sum played.mp4 small.mp4'
cmp -s played.mp4 small.mp4 && [ -s played.mp4 ] || failed 'the link gave other bytes'
run 'curl -fsS -r 1000-1999 -o range "$LINK"; cmp range <(tail -c +1001 small.mp4 | head -c 1000) && echo "bytes 1000-1999 are the same"'
[ "$(stat -c %s range)" = 1000 ] || failed 'the range has another length'

step 'A link is taken back while somebody reads by it'
# A fast reader: what the kernel already holds for it is read in well under a second, and then nothing more comes.
run 'for i in $(seq 128); do cat clip.mp4; done > long.mp4; LONG=$(curl -fsS -H @alice -T long.mp4 -X POST "$WEIR/api/v1/content?filename=long.mp4" | grep -o "\"cid\":\"[^\"]*" | cut -d\" -f4); echo "$LONG"'
run 'curl -fsS -H @alice -H "Content-Type: application/json" -d "{\"cid\":\"$LONG\"}" "$WEIR/api/v1/grants" > grant.json; LINK=$(grep -o "\"url\":\"[^\"]*" grant.json | cut -d\" -f4); GRANT=$(grep -o "\"grant_id\":\"[^\"]*" grant.json | cut -d\" -f4); echo "$GRANT"'
run 'curl -sS --limit-rate 60M -o slow.mp4 "$LINK" 2> slow.txt & reader=$!'
sleep 1
kill -0 "$reader" 2>/dev/null || failed 'the slow download was over before the link was taken back'
revoked=$(date +%s%N)
run 'curl -fsS -H @alice -X DELETE "$WEIR/api/v1/grants/$GRANT" && echo revoked'
ended=0
wait "$reader" || ended=$?
took=$((($(date +%s%N) - revoked) / 1000000))
reader=
shown "the download was cut $took ms after that was asked: $(cat slow.txt)"
[ "$ended" -ne 0 ] || failed 'the download went on to its end'
[ "$took" -lt 1000 ] || failed 'that is more than a second'
[ "$(stat -c %s slow.mp4)" -lt "$(stat -c %s long.mp4)" ] || failed 'the download has all the bytes'
run 'STATUS=$(curl -s -o /dev/null -w "%{http_code}" "$LINK"); echo "again: $STATUS"'
case "$STATUS" in 401 | 403 | 404) ;; *) failed "the link still answers $STATUS" ;; esac

step 'All of it is in the audit log, and the log is whole'
run 'weir audit list --limit 5'
run 'weir audit verify'

printf '\n\033[1mEach of these happened.\033[0m\n'
