#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a graphical program under a virtual display and keeps a picture of it.
#
#     tools/screenshot_gui.sh PICTURE.png SECONDS COMMAND [ARGUMENT]...
#
# The picture is taken SECONDS after the start or, on a slow machine, up to two minutes later: as soon as something is shown.
# SCREENSHOT_SIZE is the size of the display (default 1280x860). Exit code 0 only if the command still ran when the picture was
# taken and the picture is not of one colour. What the command printed goes to stderr.
set -eu

if [ $# -lt 3 ]; then
    sed -n '3,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
picture=$1
seconds=$2
shift 2
work=$(mktemp -d)
child='' server=''

give_up() {
    echo "screenshot_gui.sh: $*; no picture taken" >&2
    exit 1
}

clean_up() {
    status=$?
    trap '' INT TERM HUP
    for process in $child $server; do # the display goes last
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    cat "$work"/*.log >&2 || true
    rm -rf "$work"
    exit $status
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# The server itself takes a display number that is free and tells it when it is ready: nothing is guessed, nothing can be missed.
mkfifo "$work/number"
cookie=$(mcookie)
xauth -q -f "$work/authority" add :0 . "$cookie" 2>/dev/null # of an entry in its own file the server minds only the cookie
Xvfb -displayfd 3 -screen 0 "${SCREENSHOT_SIZE:-1280x860}x24" -nolisten tcp -noreset -auth "$work/authority" \
    3>"$work/number" >"$work/1-server.log" 2>&1 &
server=$!
read -r number <"$work/number" || give_up "Xvfb did not start"
xauth -q -f "$work/authority" add ":$number" . "$cookie"

export DISPLAY=":$number" XAUTHORITY="$work/authority" XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$work}"
QT_QPA_PLATFORM=xcb LIBGL_ALWAYS_SOFTWARE=1 "$@" >"$work/2-command.log" 2>&1 &
child=$!
sleep "$seconds"
left=120
while [ "$left" -gt 0 ]; do
    if ! kill -0 "$child" 2>/dev/null; then
        status=0
        wait "$child" || status=$?
        child=''
        give_up "the command ended by itself with exit code $status"
    fi
    colours=0
    if import -window root "$work/picture.png" 2>"$work/3-import.log"; then
        colours=$(identify -format '%k' "$work/picture.png")
    fi
    if [ "$colours" -ge 16 ]; then
        mv "$work/picture.png" "$picture"
        exit 0
    fi
    sleep 1
    left=$((left - 1))
done
give_up "nothing was shown"
