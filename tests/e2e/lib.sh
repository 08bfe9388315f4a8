# What every end-to-end test is made of. Source it from the top of a test; see README.md beside it.
#
#   plan N; ok TEXT COMMAND...         TAP: runs COMMAND, "ok" when it succeeds; what it printed is shown when not
#   e2e_begin NAME                     a clean directory $dir, a rig of its own, everything undone at exit
#   e2e_config <<EOF                   writes $config: base settings, then what stands on stdin (ports... deliveries)
#   e2e_start / e2e_stop               penstock run, waiting until it receives / SIGTERM, waiting until it ended
#   e2e_hold; e2e_held COMMAND...      a new region that outlives penstock from here on; COMMAND where it is mounted
#   e2e_send NAME OPTIONS...           the independent sender, in the foreground; manifest in $dir/NAME.manifest
#   e2e_send_start / e2e_send_stop     the same in the background
#   e2e_read STREAM                    every record of a stream, raw, to stdout
#   e2e_ledger LABEL                   a row of the ledger, summed over ports, streams or deliveries
#   e2e_look PROGRAM WHEN              notes the resident memory of dataplane or penstockd; e2e_own tells what of it is its own
#   e2e_json FILTER COMMAND...         is jq's FILTER true of what penstock COMMAND --json answers?
#   e2e_missed                         frames that no worker met, those before the first poll included
#   e2e_settled                        waits until nothing moves any more, then: is the ledger balanced?

set -u

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
build=${BUILD:-$root/build}
penstock=$build/penstock
sender=$build/tests/send
tests_done=0
planned=
failed=0
supervisor=
holder=
background=
output=$(mktemp)
trap 'rm -f "$output"' EXIT

diag() { sed 's/^/# /'; }

plan() {
	planned=$1
	echo "1..$1"
}

skip_all() {
	local n
	[ -n "$planned" ] || echo "1..1"
	for ((n = tests_done + 1; n <= ${planned:-1}; n++)); do echo "ok $n # SKIP $1"; done
	exit 0
}

ok() {
	local text=$1
	shift
	tests_done=$((tests_done + 1))
	# Not in a subshell: what COMMAND starts or waits for is this shell's.
	if "$@" >"$output" 2>&1; then
		echo "ok $tests_done - $text"
	else
		echo "not ok $tests_done - $text"
		echo "# failed: $*"
		tail -n 60 "$output" | diag
		failed=1
	fi
}

# For what cannot go on: one "not ok" and the end.
bail() {
	tests_done=$((tests_done + 1))
	echo "not ok $tests_done - $1"
	[ ! -f "${dir:-}/run.log" ] || tail -n 30 "$dir/run.log" | diag
	exit 1
}

equal() { # EXPECTED ACTUAL
	[ "$1" = "$2" ] || { echo "expected $1, got $2"; return 1; }
}

at_most() { # LIMIT VALUE
	[ "$2" -le "$1" ] || { echo "expected at most $1, got $2"; return 1; }
}

at_least() { # LIMIT VALUE
	[ "$2" -ge "$1" ] || { echo "expected at least $1, got $2"; return 1; }
}

now_ms() { date +%s%3N; }

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	local until=$(($(now_ms) + $1 * 1000))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$until" ] || return 1
		sleep 0.05
	done
}

e2e_begin() {
	local program
	name=$1
	[ "$(id -u)" = 0 ] || skip_all "needs root: network namespaces"
	for program in "$penstock" "$build/penstockd" "$build/penstock-dataplane" "$sender"; do
		[ -x "$program" ] || bail "$program is not built: make all tests"
	done
	dir=$root/run/e2e/$name
	rm -rf "$dir"
	mkdir -p "$dir"
	config=$dir/penstock.yaml
	trap e2e_end EXIT
	trap 'exit 130' INT TERM HUP
	# 6 hexadecimal digits: of this checkout and this test, so that a killed run's rig is found and replaced.
	RIG_TAG=$(printf '%s %s' "$root" "$name" | md5sum | cut -c1-6)
	export RIG_TAG RIG_SENDER=netns
	rig=$("$root/scripts/rig" up) || bail "no rig: $rig"
	eval "$rig"
	server=198.18.0.2 server6=fd00:198:18:0::2
}

e2e_end() {
	local status=$? pid
	trap - EXIT
	for pid in $(jobs -p); do kill -9 "$pid" 2>/dev/null; done
	[ -z "$supervisor" ] || kill -9 "$supervisor" 2>/dev/null
	wait 2>/dev/null
	[ -z "${rig:-}" ] || "$root/scripts/rig" down
	rm -f "$output"
	[ "$status" = 0 ] && [ "$failed" = 0 ] || [ "$status" != 0 ] || status=1
	exit "$status"
}

# The port as this rig has it; driver arguments as the ledger needs them.
e2e_port() {
	cat <<-EOF
	ports:
	  - name: wire
	    device: "${RIG_DRIVER}0,iface=$RIG_DEVICE"
	    cores: [1]
	    rx_descriptors: 2048
	    addresses: ["$server/24", "$server6/64"]
	EOF
}

e2e_config() {
	cat >"$config" <<-EOF
	dpdk:
	  huge_pages: false
	  memory_mib: 256
	  mbufs: 16383
	  main_core: 0
	  file_prefix: "penstock-$RIG_TAG"
	  numa: warn
	region:
	  directory: region
	  shards: 16
	  lane_bytes: ${LANE_BYTES:-4MiB}
	store:
	  directory: ${STORE:-store}
	  commit_ms: 10ms
	  segment_bytes: ${SEGMENT_BYTES:-64MiB}
	control:
	  socket: penstockd.sock
	EOF
	cat >>"$config"
}

running() { [ -n "$supervisor" ] && kill -0 "$supervisor" 2>/dev/null; }

e2e_ctl() { "$penstock" --socket "$dir/penstockd.sock" "$@"; }

# e2e_json FILTER COMMAND...: is the answer true? An answer that does not come is none: jq alone would call that true.
e2e_json() (
	set -o pipefail
	filter=$1
	shift
	e2e_ctl "$@" --json | jq -e "$filter"
)

e2e_at_sender() { ip netns exec "$RIG_SENDER_NETNS" "$@"; }

# A mount namespace with the region's tmpfs, held by a process that only sleeps; the one before goes with all that it had mounted.
e2e_hold() {
	if [ -n "$holder" ]; then
		kill "$holder"
		wait "$holder" 2>/dev/null
	fi
	mkdir -p "$dir/region"
	unshare --mount --propagation slave bash -c '
		mount -t tmpfs -o size=512m,mode=0750 penstock-region "$1" && exec sleep 3600' e2e "$dir/region" &
	holder=$!
	wait_for 5 e2e_held mountpoint "$dir/region" || bail "no tmpfs for the region"
}

e2e_held() { nsenter --mount --target "$holder" "$@"; }

# Starts the supervisor in a mount namespace of its own: the region's tmpfs goes when the last of its processes goes. Or where
# e2e_hold has one.
e2e_run() {
	mkdir -p "$dir/region" "$dir/pid"
	if [ -n "$holder" ]; then
		nsenter --mount --target "$holder" "$penstock" --config "$config" run --netns "$RIG_NETNS" --pid-dir "$dir/pid" >>"$dir/run.log" 2>&1 &
	else
		unshare --mount --propagation slave bash -c '
			mount -t tmpfs -o size=512m,mode=0750 penstock-region "$1" && exec "$2" --config "$3" run --netns "$4" --pid-dir "$5"
		' e2e "$dir/region" "$penstock" "$config" "$RIG_NETNS" "$dir/pid" >>"$dir/run.log" 2>&1 &
	fi
	supervisor=$!
}

# Receives, answers on every address, and has its streams: only then is the first datagram worth sending.
e2e_ready() { running && e2e_streams_taken && e2e_answers "$server" && e2e_answers "$server6"; }

e2e_answers() { case $1 in *:*) e2e_at_sender ping -6 -c 1 -W 1 "$1" ;; *) e2e_at_sender ping -c 1 -W 1 "$1" ;; esac; }

# The dataplane knows the streams: its region has acknowledged the shard map.
e2e_streams_taken() { e2e_json '.dataplane | .alive and .map_version >= 1 and .map_version == .published_map_version' status; }

# See README.md: an entry that times out while the dataplane is being killed would lose datagrams before the interface.
e2e_pin() { # ADDRESS
	local mac
	mac=$(e2e_at_sender ip -j neigh show to "$1" dev "$RIG_HOST" | jq -r '.[0].lladdr // empty')
	[ -n "$mac" ] && e2e_at_sender ip neigh replace "$1" lladdr "$mac" dev "$RIG_HOST" nud permanent
}

e2e_start() {
	local address
	e2e_run
	wait_for "${1:-15}" e2e_ready || bail "not ready after ${1:-15} s"
	for address in "$server" "$server6"; do
		e2e_pin "$address" || bail "$address answered, but is no neighbour: $(e2e_at_sender ip neigh show)"
	done
}

e2e_stop() {
	local status
	kill -TERM "$supervisor" || return 1
	wait "$supervisor"
	status=$?
	supervisor=
	return $status
}

e2e_pid() { cat "$dir/pid/$1.pid"; }

e2e_send() {
	local manifest=$dir/$1.manifest
	shift
	e2e_at_sender "$sender" --manifest "$manifest" "$@"
}

# The same until e2e_send_stop: `ip netns exec` becomes the sender, so $! is its process.
e2e_send_start() {
	local manifest=$dir/$1.manifest
	shift
	ip netns exec "$RIG_SENDER_NETNS" "$sender" --manifest "$manifest" "$@" >>"$dir/send.log" 2>&1 &
	background=$!
}

e2e_send_stop() {
	kill -TERM "$background" 2>/dev/null
	wait "$background"
}

e2e_sent() { sed -n 's/^count //p' "$dir/$1.manifest"; }

e2e_read() { e2e_ctl read "$@" --from trim-horizon --format raw; }

# Where a row stands in the ledger: some labels stand in several sections, each the other's right or left side.
e2e_section() {
	case $1 in
	wire | rx | missed | errors | no_mbuf | down) echo '^port [^,]*$' ;;
	parsed | appended | lane_full | no_stream | invalid | rule_dropped | sampled_out | incomplete | too_large) echo '^records$' ;;
	fragments_*) echo '^fragments$' ;;
	stored | retained | lost | expired_early) echo ', store$' ;;
	taken | delivered | pending | failed) echo '^delivery ' ;;
	*) echo '^frames$' ;;
	esac
}

# A row that nobody has is an error, not 0: rows of 0 are told too. A penstockd that does not answer just now is asked again.
e2e_ledger() {
	local answer value title
	title=$(e2e_section "$1")
	for _ in {1..50}; do
		if answer=$(e2e_ctl ledger --json 2>/dev/null) && [ -n "$answer" ] && value=$(jq --arg row "$1" --arg title "$title" \
			'[.sections[] | select(.title | test($title)) | (.left[], .right[]) | select(.label == $row) | .value] |
			if length == 0 then error("no row") else add end' <<<"$answer" 2>/dev/null); then
			echo "$value"
			return 0
		fi
		sleep 0.1
	done
	echo "e2e_ledger: no row '$1' in the ledger" >&2
	echo -1
	return 1
}

# Frames that no worker met. Some of the kernel's own may have come before the first poll: how many is known a moment after it.
e2e_missed() {
	wait_for 10 e2e_json 'all(.ports[]; .settling == false)' status || echo "not settled" >&2
	echo $(($(e2e_ledger missed) + $(e2e_ledger down)))
}

e2e_own_kib=$((64 * 1024)) # what a daemon may take beside what was asked for by its size
e2e_batch_kib=$((4 * 1024)) # the default of store.batch_bytes

# All three kinds of resident memory as the kernel counts them: a comment, and lines "KIND KIB" in $dir/PROGRAM.WHEN.
e2e_look() { # PROGRAM WHEN
	local pid
	pid=$(e2e_pid "$1")
	awk '/^Rss(Anon|File|Shmem):/ { sub(":", "", $1); print $1, $2 }' "/proc/$pid/status" >"$dir/$1.$2"
	# What was asked for by its size: the region and packet memory, by the names of their mappings. Batch buffers are
	# mappings without a name of a batch's size and a little (guard pages keep the kernel from joining others to them);
	# how much of each is resident follows from how long the disk let batches grow.
	awk -v batch=$e2e_batch_kib -v store="$([ "$1" != penstockd ] || echo 1)" '
		/^[0-9a-f]+-[0-9a-f]+ / { name = $6 }
		/^Size:/ { size = $2 }
		/^Rss:/ { if (name ~ /\/region\/|^\/memfd:nohuge/) asked += $2; else if (store && name == "" && size >= batch && size < batch + 64) buffers += $2 }
		END { print "asked", asked + 0; print "buffers", buffers + 0 }' "/proc/$pid/smaps" >>"$dir/$1.$2"
	echo "# $1 $2: $(tr '\n' ' ' <"$dir/$1.$2")KiB"
}

# Everything resident beside those.
e2e_own() { awk '/^Rss/ { kib += $2 } /^(asked|buffers)/ { kib -= $2 } END { print kib }' "$dir/$1.$2"; }

e2e_balanced() { e2e_json '.balanced and .unaccounted == 0' ledger; }

# Nothing in flight: nothing waits, and two looks, longer apart than the ledger's own rhythm, are the same and balanced.
e2e_settled() {
	local before after until=$(($(now_ms) + ${1:-20} * 1000))
	while :; do
		before=$(e2e_ctl ledger --json 2>&1)
		sleep 1.5
		after=$(e2e_ctl ledger --json 2>&1)
		if [ -n "$after" ] && [ "$before" = "$after" ] && jq -e '.balanced and .unaccounted == 0 and ([.sections[] | (.left[], .right[]) |
			select(.label == "in flight" or .label == "waiting") | .value] | add // 0) == 0' <<<"$after" >/dev/null 2>&1; then
			return 0
		fi
		if [ "$(now_ms)" -ge "$until" ]; then
			e2e_ctl ledger
			return 1
		fi
	done
}
