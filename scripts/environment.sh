# Sourced by the other scripts: a virtual environment in .venv with this checkout installed.
# Needs Python 3.11 to 3.13 with venv; everything else comes from PyPI.

say() { printf '\n== %s\n' "$*"; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  echo "error: expected Python 3.11, 3.12 or 3.13 on the PATH, found none; install one, or set PYTHON to it" >&2
  return 1
}

# install_into_venv EXTRAS [GROUP]: install the checkout with its extras and, if given, a developer group.
install_into_venv() {
  local python stamp wanted
  python=$(find_python) || return 1
  if ! [ -x .venv/bin/python ]; then
    say "Creating the virtual environment .venv with $python"
    if ! "$python" -m venv .venv; then
      rm -rf .venv
      echo "error: $python cannot create virtual environments; on Debian or Ubuntu: apt-get install python3-venv" >&2
      return 1
    fi
  fi
  stamp=".venv/installed-${1//,/-}${2:+-$2}"
  wanted=$(cat pyproject.toml constraints.txt | cksum)
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    say "Packages are installed already"
    return
  fi
  say "Installing wa-bench[$1]${2:+ and the group $2} into .venv (the first time takes a minute or two)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
  .venv/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[$1]" ${2:+--group "$2"}
  printf '%s\n' "$wanted" >"$stamp"
}
