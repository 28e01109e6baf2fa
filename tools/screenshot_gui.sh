#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a graphical program under a virtual display for some seconds and keeps a picture of it.
#
#     tools/screenshot_gui.sh PICTURE.png SECONDS COMMAND [ARGUMENT]...
#
# The window is given the whole display (SCREENSHOT_SIZE, default 1280x800). Exit code 0 only if the command still ran when the
# picture was taken and the picture is not of one colour. What the command printed goes to stderr.
set -eu

if [ $# -lt 3 ]; then
    sed -n '3,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
picture=$1
seconds=$2
shift 2
size=${SCREENSHOT_SIZE:-1280x800}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

cat >"$work/session" <<'EOF'
#!/bin/sh
# $1 picture, $2 seconds, $3 directory, then the command
picture=$1 seconds=$2 work=$3
shift 3
"$@" >"$work/log" 2>&1 &
child=$!
left=$seconds
while [ "$left" -gt 0 ] && kill -0 "$child" 2>/dev/null; do
    sleep 1
    left=$((left - 1))
done
if kill -0 "$child" 2>/dev/null; then
    import -window root "$picture"
    kill "$child" 2>/dev/null
    wait "$child" 2>/dev/null
    exit 0
fi
wait "$child"
echo "the command ended by itself with exit code $?" >>"$work/log"
exit 1
EOF

export QT_QPA_PLATFORM=xcb
export LIBGL_ALWAYS_SOFTWARE=1
status=0
xvfb-run -a -s "-screen 0 ${size}x24" sh "$work/session" "$picture" "$seconds" "$work" "$@" || status=$?
cat "$work/log" >&2
if [ "$status" -ne 0 ]; then
    echo "screenshot_gui.sh: no picture taken" >&2
    exit 1
fi
colours=$(identify -format '%k' "$picture")
if [ "$colours" -lt 16 ]; then
    echo "screenshot_gui.sh: the picture has only $colours colours: the window was not there" >&2
    exit 1
fi
