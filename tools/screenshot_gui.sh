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
trap 'rm -rf "$work"' EXIT INT TERM

cat >"$work/session" <<'EOF'
picture=$1 seconds=$2 work=$3
shift 3
"$@" >"$work/log" 2>&1 &
child=$!
sleep "$seconds"
left=120
while [ "$left" -gt 0 ]; do
    if ! kill -0 "$child" 2>/dev/null; then
        status=0
        wait "$child" || status=$?
        echo "the command ended by itself with exit code $status" >>"$work/log"
        exit 1
    fi
    import -window root "$work/picture.png"
    if [ "$(identify -format '%k' "$work/picture.png")" -ge 16 ]; then
        mv "$work/picture.png" "$picture"
        kill "$child" 2>/dev/null
        wait "$child" 2>/dev/null
        exit 0
    fi
    sleep 1
    left=$((left - 1))
done
echo "nothing was shown" >>"$work/log"
kill "$child" 2>/dev/null
exit 1
EOF

status=0
QT_QPA_PLATFORM=xcb LIBGL_ALWAYS_SOFTWARE=1 XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$work}" \
    xvfb-run -a -s "-screen 0 ${SCREENSHOT_SIZE:-1280x860}x24" \
    sh "$work/session" "$picture" "$seconds" "$work" "$@" >"$work/session_log" 2>&1 || status=$?
cat "$work/session_log" "$work/log" >&2 || true
if [ "$status" -ne 0 ]; then
    echo "screenshot_gui.sh: no picture taken" >&2
    exit 1
fi
