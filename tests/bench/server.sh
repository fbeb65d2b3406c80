#!/bin/bash
# One way to start, feed, watch and stop the XMPP servers that this suite is measured against,
# and Zubr itself. Everything listens on loopback; state and generated config live in DIR.
#
#   server.sh NAME start DIR            waits until the c2s port answers
#   server.sh NAME adduser DIR USER PASS
#   server.sh NAME pids DIR             one pid per line, children included
#   server.sh NAME stop DIR
#   server.sh NAME install              the Debian packages it needs (root)
#
# NAME: prosody prosody-sqlite ejabberd ejabberd-sqlite jabberd2 zubr
# (-sqlite: the same server with SQLite storage; for ejabberd only the archive moves there)
set -u
export LC_ALL=C
NAME=${1:-}; VERB=${2:-}; DIR=${3:-}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ZUBR_SRC=${ZUBR_SRC:-$(cd "$HERE/../.." && pwd)}
DOMAIN=${DOMAIN:-bench.example}
C2S=${C2S:-15222}
C2S_TLS=${C2S_TLS:-15223}
S2S=${S2S:-15269}
COMP=${COMP:-15347}
HTTP=${HTTP:-15280}
ADMIN=${ADMIN:-admin@$DOMAIN}
REQUIRE_TLS=${REQUIRE_TLS:-0}
MAM=${MAM:-1}                      # 0: no message archive, to measure routing alone
LOGLEVEL=${LOGLEVEL:-warn}          # prosody: debug info warn error
START_WAIT=${START_WAIT:-30}

die() { echo "server.sh: $*" >&2; exit 1; }
usage() { sed -n '2,13p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2; }
[ -n "$NAME" ] && [ -n "$VERB" ] || usage

if [ "$VERB" = install ]; then
  case $NAME in
    prosody*) P="prosody lua-dbi-sqlite3 lua-unbound" ;;
    ejabberd*) P="ejabberd erlang-p1-sqlite3 curl" ;;
    jabberd2) P="jabberd2 sqlite3" ;;
    zubr) exit 0 ;;
    *) usage ;;
  esac
  # A package must not start its own service here.
  MADE=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d && MADE=1
  fi
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends openssl $P
  RC=$?
  [ -n "$MADE" ] && rm -f /usr/sbin/policy-rc.d
  exit $RC
fi

[ -n "$DIR" ] || usage
mkdir -p "$DIR" || die "cannot make $DIR"
DIR=$(cd "$DIR" && pwd)
PIDFILE=$DIR/bench.pids

# The ports and the domain a server was started with are kept, so the later verbs need no environment.
ENVFILE=$DIR/bench.env
if [ "$VERB" != start ] && [ -f "$ENVFILE" ]; then . "$ENVFILE"; fi

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
wait_port() {
  local i=0
  while ! port_open "$1"; do
    i=$((i + 1)); [ $i -gt $((START_WAIT * 10)) ] && return 1
    alive || return 1
    sleep 0.1
  done
}
alive() {
  local p
  [ -s "$PIDFILE" ] || return 1
  for p in $(cat "$PIDFILE"); do kill -0 "$p" 2>/dev/null || return 1; done
}
# Run a command in its own session, its output in LOG, its pid on the list.
spawn() {
  local log=$1; shift
  setsid "$@" >>"$log" 2>&1 </dev/null &
  echo $! >>"$PIDFILE"
}
tree() {
  local p c
  for p in "$@"; do
    kill -0 "$p" 2>/dev/null && echo "$p"
    for c in $(cat /proc/"$p"/task/*/children 2>/dev/null); do tree "$c"; done
  done
}
certs() {
  [ -s "$DIR/cert.pem" ] && return
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -keyout "$DIR/key.pem" -out "$DIR/cert.pem" -subj "/CN=$DOMAIN" \
    -addext "subjectAltName=DNS:$DOMAIN,DNS:*.$DOMAIN" 2>/dev/null || die "openssl failed"
  cat "$DIR/cert.pem" "$DIR/key.pem" >"$DIR/both.pem"
  chmod 600 "$DIR/key.pem" "$DIR/both.pem"
}
fill() {
  local lua=false attr= ejlog=3
  [ "$REQUIRE_TLS" = 1 ] && lua=true && attr="require-starttls='mu'"
  case $LOGLEVEL in debug) ejlog=5 ;; info) ejlog=4 ;; error) ejlog=2 ;; esac
  sed -e "s|@DIR@|$DIR|g" -e "s|@DOMAIN@|$DOMAIN|g" -e "s|@C2S@|$C2S|g" -e "s|@C2S_TLS@|$C2S_TLS|g" \
    -e "s|@S2S@|$S2S|g" -e "s|@COMP@|$COMP|g" -e "s|@HTTP@|$HTTP|g" -e "s|@ADMIN@|$ADMIN|g" \
    -e "s|@REQUIRE_TLS_LUA@|$lua|g" -e "s|@REQUIRE_TLS_ATTR@|$attr|g" -e "s|@LOGLEVEL@|$LOGLEVEL|g" \
    -e "s|@EJ_LOGLEVEL@|$ejlog|g" -e "s|@PROSODY_STORAGE@|${PROSODY_STORAGE:-internal}|g" \
    -e "s|@JDLIB@|${JDLIB:-}|g" "$HERE/peers/$1" >"$2"
}

start() {
  alive && die "$NAME already runs in $DIR"
  for p in "$C2S" "$C2S_TLS"; do port_open "$p" && die "port $p is taken"; done
  rm -f "$PIDFILE"
  for v in DOMAIN C2S C2S_TLS S2S COMP HTTP ADMIN REQUIRE_TLS ZUBR_SRC; do printf '%s=%q\n' "$v" "${!v:-}"; done >"$ENVFILE"
  ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
  certs
  case $NAME in
    prosody | prosody-sqlite)
      [ "$NAME" = prosody-sqlite ] && PROSODY_STORAGE=sql
      mkdir -p "$DIR/data"
      fill prosody.cfg.lua.in "$DIR/prosody.cfg.lua"
      [ "$MAM" = 0 ] && sed -i 's/"mam", //; s/"muc_mam"//; s/^  muc_log_by_default.*//' "$DIR/prosody.cfg.lua"
      spawn "$DIR/out.log" prosody --config "$DIR/prosody.cfg.lua" -F
      ;;
    ejabberd | ejabberd-sqlite)
      mkdir -p "$DIR/db" "$DIR/upload"
      fill ejabberd.yml.in "$DIR/ejabberd.yml"
      [ "$MAM" = 0 ] && sed -i '/^  mod_mam:/,/assume_mam/d; /access_mam/d; /mam: true/d' "$DIR/ejabberd.yml"
      [ "$NAME" = ejabberd-sqlite ] && [ "$MAM" = 1 ] &&
        printf 'sql_type: sqlite\nsql_database: "%s"\n' "$DIR/ejabberd.db" >>"$DIR/ejabberd.yml" &&
        sed -i 's/^  mod_mam:$/&\n    db_type: sql/' "$DIR/ejabberd.yml"
      printf '{lookup, [file, native]}.\n' >"$DIR/inetrc"
      export EJABBERD_CONFIG_PATH=$DIR/ejabberd.yml EJABBERD_LOG_PATH=$DIR/ejabberd.log
      export ERL_INETRC=$DIR/inetrc ERL_MAX_PORTS=65536 ERL_MAX_ETS_TABLES=1400 ERL_CRASH_DUMP_BYTES=0
      export ERL_LIBS HOME=$DIR CONTRIB_MODULES_PATH=$DIR/contrib
      ERL_LIBS=$(dirname "$(ls -d /usr/lib/*/ejabberd-[0-9]* | head -1)")
      # EJABBERD_ERL adds emulator flags; the schedulers' busy waiting is off by default here,
      # as it would count as work of the server (EJABBERD_ERL= restores the emulator's default).
      # shellcheck disable=SC2086
      spawn "$DIR/out.log" erl -noinput +K true +P 250000 ${EJABBERD_ERL-+sbwt none +sbwtdcpu none +sbwtdio none} \
        -mnesia dir "\"$DIR/db\"" -s ejabberd
      ;;
    jabberd2)
      JDLIB=$(ls -d /usr/lib/*/jabberd2 | head -1)
      if [ ! -s "$DIR/sqlite.db" ]; then
        zcat -f /usr/share/doc/jabberd2/db-setup.sqlite* | sqlite3 "$DIR/sqlite.db" >/dev/null || die "sqlite setup failed"
      fi
      for f in router router-users s2s c2s sm; do fill "jabberd2-$f.xml.in" "$DIR/$f.xml"; done
      spawn "$DIR/out.log" jabberd2-router -c "$DIR/router.xml"
      wait_port "$COMP" || die "router did not start, see $DIR/router.log"
      spawn "$DIR/out.log" jabberd2-sm -c "$DIR/sm.xml"
      spawn "$DIR/out.log" jabberd2-s2s -c "$DIR/s2s.xml"
      spawn "$DIR/out.log" jabberd2-c2s -c "$DIR/c2s.xml"
      ;;
    zubr)
      cd "$ZUBR_SRC" || die "no $ZUBR_SRC"
      X=(--no-limits); [ "${LIMITS:-0}" = 1 ] && X=()
      [ "$REQUIRE_TLS" = 1 ] || X+=(--insecure)
      [ "$MAM" = 0 ] && X+=(--archive off)
      # shellcheck disable=SC2206
      [ -n "${ZUBR_ARGS:-}" ] && X+=($ZUBR_ARGS)
      spawn "$DIR/out.log" ./dev run --dir "$DIR" --domain "$DOMAIN" --c2s "$C2S" --c2s-tls "$C2S_TLS" \
        --s2s "$S2S" --component "$COMP" --http "$HTTP" --redis off "${X[@]}"
      ;;
    *) usage ;;
  esac
  wait_port "$C2S" || { tail -5 "$DIR"/*.log >&2; die "$NAME did not open port $C2S in ${START_WAIT}s"; }
  wait_port "$C2S_TLS" || die "$NAME did not open port $C2S_TLS"
  case $NAME in
    # The listener is up before the session manager is bound to the router.
    jabberd2) for _ in $(seq 100); do grep -q "\[$DOMAIN\] online" "$DIR/router.log" && break; sleep 0.1; done ;;
    ejabberd*) wait_port "$HTTP" || die "no HTTP port" ;;
  esac
}

adduser() {
  local u=$1 p=$2
  case $NAME in
    prosody | prosody-sqlite)
      prosodyctl --config "$DIR/prosody.cfg.lua" register "$u" "$DOMAIN" "$p" ;;
    ejabberd | ejabberd-sqlite)
      curl -sS -m 20 -X POST "http://127.0.0.1:$HTTP/api/register" \
        -d "{\"user\":\"$u\",\"host\":\"$DOMAIN\",\"password\":\"$p\"}" | grep -q success ;;
    jabberd2)
      # Accounts are plain rows; the session manager makes the user's data at first login.
      sqlite3 -cmd '.timeout 5000' "$DIR/sqlite.db" \
        "DELETE FROM authreg WHERE username='$u' AND realm='$DOMAIN'; INSERT INTO authreg VALUES('$u','$DOMAIN','$p');
         DELETE FROM active WHERE \"collection-owner\"='$u@$DOMAIN'; INSERT INTO active(\"collection-owner\",time) VALUES('$u@$DOMAIN',strftime('%s','now'));" ;;
    zubr)
      printf '%s\n' "$p" | "${ZUBR_SRC:?}/build/zubrctl" --dir "$DIR" register "$u@$DOMAIN" ;;
    *) usage ;;
  esac
}

case $VERB in
  start) start ;;
  adduser) [ $# -ge 5 ] || usage; adduser "$4" "$5" ;;
  pids) [ -s "$PIDFILE" ] || exit 1
    # shellcheck disable=SC2046
    tree $(cat "$PIDFILE") | sort -un ;;
  stop)
    [ -s "$PIDFILE" ] || exit 0
    # shellcheck disable=SC2046
    ALL=$(tree $(cat "$PIDFILE"))
    # shellcheck disable=SC2046
    kill -TERM $(cat "$PIDFILE") 2>/dev/null
    for _ in $(seq 100); do
      LEFT=; for p in $ALL; do kill -0 "$p" 2>/dev/null && LEFT="$LEFT $p"; done
      [ -z "$LEFT" ] && break
      sleep 0.1
    done
    # shellcheck disable=SC2086
    [ -n "$LEFT" ] && kill -KILL $LEFT 2>/dev/null
    rm -f "$PIDFILE" ;;
  *) usage ;;
esac
