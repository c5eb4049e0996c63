#!/usr/bin/env bash
# Plays the payment scenario of README.md by the official clients named as
# arguments (default: all) against a freshly built ledgerd, or against the
# server at $LEDGERD_ADDRESS; then lets them make transfers while the replicas of
# a cluster die. Leaves nothing behind but the package managers' own caches.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

clients=("$@")
((${#clients[@]})) || clients=(python node go java)

scratch=$(mktemp -d)
server=""
replicas=() # process ids of the cluster
cleanup() {
	for process in $server "${replicas[@]}"; do
		kill -TERM "$process" 2>/dev/null || true
		wait "$process" || true
	done
	rm -rf "$scratch"
}
trap cleanup EXIT

# installed runs a package manager quietly; its words are shown if it fails.
installed() {
	"$@" >"$scratch/install.log" 2>&1 || {
		tail -n 20 "$scratch/install.log"
		return 1
	}
}

# skipped says why a client does not play, and ends its subshell.
skipped() {
	echo "compat $1: skipped: $2"
	exit 0
}

play_python() {
	command -v python3 >/dev/null || skipped python "no python3"
	installed python3 -m venv "$scratch/venv" || skipped python "no venv module"
	installed "$scratch/venv/bin/pip" install --disable-pip-version-check -r compat/python/requirements.txt ||
		skipped python "its package cannot be installed"
	"$scratch/venv/bin/python" compat/python/scenario.py "--addresses=$address"
}

play_node() {
	command -v node >/dev/null && command -v npm >/dev/null || skipped node "no node or npm"
	mkdir "$scratch/node"
	cp compat/node/package.json compat/node/package-lock.json compat/node/scenario.mjs "$scratch/node/"
	installed npm --prefix "$scratch/node" ci --no-audit --no-fund ||
		skipped node "its package cannot be installed"
	node "$scratch/node/scenario.mjs" "--addresses=$address"
}

play_go() {
	[[ $(CGO_ENABLED=1 go env CGO_ENABLED) == 1 ]] && command -v "$(go env CC)" >/dev/null || skipped go "no C compiler"
	installed go -C compat/go mod download || skipped go "its module cannot be downloaded"
	CGO_ENABLED=1 go -C compat/go build -o "$scratch/scenario-go" .
	"$scratch/scenario-go" "--addresses=$address"
}

play_java() {
	command -v java >/dev/null && command -v mvn >/dev/null || skipped java "no java or mvn"
	installed mvn -B -q -f compat/java/pom.xml -DbuildDirectory="$scratch/java" \
		dependency:resolve dependency:resolve-plugins || skipped java "its package cannot be installed"
	installed mvn -B -q -f compat/java/pom.xml -DbuildDirectory="$scratch/java" compile
	java -cp "$scratch/java/classes:$scratch/java/lib/*" Scenario "--addresses=$address"
}

# What makes transfers for $seconds seconds, if the client has played.

failover_python() {
	[[ ! -x $scratch/venv/bin/python ]] ||
		"$scratch/venv/bin/python" compat/python/failover.py "--addresses=$address" "--seconds=$seconds"
}

failover_node() {
	[[ ! -d $scratch/node/node_modules ]] || {
		cp compat/node/failover.mjs "$scratch/node/"
		node "$scratch/node/failover.mjs" "--addresses=$address" "--seconds=$seconds"
	}
}

failover_go() {
	[[ ! -x $scratch/scenario-go ]] || {
		CGO_ENABLED=1 go -C compat/go build -o "$scratch/failover-go" ./failover
		"$scratch/failover-go" "--addresses=$address" "--seconds=$seconds"
	}
}

failover_java() {
	[[ ! -d $scratch/java/lib ]] ||
		java -cp "$scratch/java/classes:$scratch/java/lib/*" Failover "--addresses=$address" "--seconds=$seconds"
}

# listens reports whether something accepts connections at $1, "host:port".
listens() {
	(exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null
}

# free_port prints a port that nothing listens on.
free_port() {
	local port
	while true; do
		port=$((20000 + RANDOM % 12000))
		listens "127.0.0.1:$port" || break
	done
	echo "$port"
}

start_server() {
	"$scratch/ledgerd" format --cluster=0 --replica=0 --replica-count=1 "$scratch/0_0.ledgerd"
	address="127.0.0.1:$(free_port)"
	"$scratch/ledgerd" start "--addresses=$address" "$scratch/0_0.ledgerd" >"$scratch/server.log" 2>&1 &
	server=$!
	await_server "$server" "$address" "$scratch/server.log"
}

# await_server returns when process $1 listens on $2. Its log is $3.
await_server() {
	for ((tries = 0; tries < 300; tries++)); do
		listens "$2" && return
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	echo "compat: ledgerd does not listen on $2:"
	cat "$3"
	exit 1
}

readonly replica_count=3

start_cluster() {
	local i addresses=()
	for ((i = 0; i < replica_count; i++)); do
		"$scratch/ledgerd" format --cluster=0 "--replica=$i" "--replica-count=$replica_count" "$scratch/cluster_$i.ledgerd"
		addresses+=("127.0.0.1:$(free_port)")
	done
	address=$(IFS=, && echo "${addresses[*]}")
	for ((i = 0; i < replica_count; i++)); do
		start_replica "$i"
	done
	for ((i = 0; i < replica_count; i++)); do
		await_server "${replicas[i]}" "${addresses[i]}" "$scratch/cluster_$i.log"
	done
}

# start_replica starts replica $1 of the cluster.
start_replica() {
	"$scratch/ledgerd" start "--addresses=$address" "--cache-grid=16MiB" "--cache-accounts=16MiB" \
		"$scratch/cluster_$1.ledgerd" >>"$scratch/cluster_$1.log" 2>&1 &
	replicas[$1]=$!
}

# kill_each kills one replica after the other with SIGKILL, and so the primary at
# least once, and starts it again.
kill_each() {
	local i
	for ((i = 0; i < replica_count; i++)); do
		sleep 2
		kill -KILL "${replicas[i]}"
		wait "${replicas[i]}" 2>/dev/null || true
		sleep 1.5
		start_replica "$i"
	done
}

# limited runs function $1 in a shell of its own. A hung client must not hang the
# whole: the official ones retry for ever.
limited() {
	export -f "${1?}" installed skipped
	export scratch address seconds
	timeout 300 bash -euo pipefail -c "$1"
}

go build -o "$scratch/ledgerd" ./cmd/ledgerd
if [[ -n ${LEDGERD_ADDRESS:-} ]]; then
	address=$LEDGERD_ADDRESS
else
	start_server
fi

failed=0
for client in "${clients[@]}"; do
	limited "play_$client" || {
		echo "compat $client: FAILED (exit code $?)"
		failed=1
	}
done

if [[ -n $server ]] && ! kill -0 "$server" 2>/dev/null; then
	echo "compat: ledgerd ended by itself:"
	failed=1
fi
if ((failed)) && [[ -n $server ]]; then
	tail -n 50 "$scratch/server.log"
fi

if [[ -z ${LEDGERD_ADDRESS:-} ]] && ! ((failed)); then
	start_cluster
	for client in "${clients[@]}"; do
		seconds=14 # somewhat longer than kill_each takes
		limited "failover_$client" &
		player=$!
		kill_each
		wait "$player" || {
			echo "compat $client failover: FAILED (exit code $?)"
			tail -n 20 "$scratch"/cluster_*.log
			failed=1
		}
	done
fi
exit "$failed"
