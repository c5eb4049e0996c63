#!/usr/bin/env bash
# Plays the payment scenario of README.md by the official clients named as
# arguments (default: all) against a freshly built ledgerd, or against the
# server at $LEDGERD_ADDRESS. Leaves nothing behind but the package managers'
# own caches.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

clients=("$@")
((${#clients[@]})) || clients=(python node go java)

scratch=$(mktemp -d)
server=""
cleanup() {
	if [[ -n $server ]]; then
		kill -TERM "$server" 2>/dev/null || true
		wait "$server" || true
	fi
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
	go build -o "$scratch/ledgerd" ./cmd/ledgerd
	"$scratch/ledgerd" format --cluster=0 --replica=0 --replica-count=1 "$scratch/0_0.ledgerd"
	address="127.0.0.1:$(free_port)"
	"$scratch/ledgerd" start "--addresses=$address" "$scratch/0_0.ledgerd" >"$scratch/server.log" 2>&1 &
	server=$!
	for ((tries = 0; tries < 300; tries++)); do
		listens "$address" && return
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	echo "compat: ledgerd does not listen on $address:"
	cat "$scratch/server.log"
	exit 1
}

if [[ -n ${LEDGERD_ADDRESS:-} ]]; then
	address=$LEDGERD_ADDRESS
else
	start_server
fi

failed=0
for client in "${clients[@]}"; do
	# A hung client must not hang the whole: the official ones retry for ever.
	export -f "play_$client" installed skipped
	export scratch address
	timeout 300 bash -euo pipefail -c "play_$client" || {
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
exit "$failed"
