# Shared by scripts/demo and scripts/test; to be sourced by bash.
# shellcheck shell=bash disable=SC2034

build_packages=(
  g++ cmake ninja-build
  libboost-dev libboost-program-options-dev libcaf-dev libeigen3-dev libjs-chart.js libncurses-dev libspdlog-dev
  libssl-dev nlohmann-json3-dev prometheus-cpp-dev zlib1g-dev
)
test_packages=(doctest-dev openssl)
all_test_packages=(chromium clang-format libbenchmark-dev prometheus python3-numpy python3-pytest python3-torch tmux)

say() {
  printf '== %s\n' "$*" >&2
}

fail() {
  printf 'scripts/%s: error: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need_packages PACKAGE..: installs those that are missing; if none is, asks no server and needs no rights.
need_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    fail "this is not Debian; install a C++20 compiler, CMake 3.25, Ninja, CAF 0.17.6 or a later 0.17, Eigen 3.4," \
      "Boost 1.74 with Program_options, spdlog, nlohmann-json 3.11, OpenSSL, zlib, prometheus-cpp, ncursesw," \
      "Chart.js 3 or 4 and doctest," \
      "then run: cmake --workflow --preset dev"
  fi
  local missing=() package
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    # Without a terminal sudo cannot ask for the password.
    if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
      fail "packages are missing; as root, run: apt-get install --no-install-recommends ${missing[*]}"
    fi
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  if ! "${apt[@]}" update >&2 </dev/null ||
    ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2 </dev/null; then
    fail "the packages could not be installed; see above, or as root run:" \
      "apt-get install --no-install-recommends ${missing[*]}"
  fi
}

# One compiler per processor, but each needs up to a gigabyte of memory.
compilers_at_once() {
  local processors memory_gib
  processors=$(nproc)
  memory_gib=$(awk '/^MemAvailable:/ {print int($2 / 1048576)}' /proc/meminfo)
  if [ "${memory_gib:-1}" -lt 1 ]; then
    memory_gib=1
  fi
  echo $((processors < memory_gib ? processors : memory_gib))
}

# build_preset PRESET FOLDER [BUILD_OPTION..]: configures and builds; quick if there is nothing to do.
build_preset() {
  local preset=$1 folder=$2
  shift 2
  say "building preset $preset in $folder"
  mkdir -p "$folder"
  if [ ! -f "$folder/CMakeCache.txt" ]; then
    local -x CMAKE_GENERATOR=Ninja # an older build folder keeps its own
  fi
  if ! cmake --preset "$preset" >"$folder/configure.log" 2>&1 </dev/null; then
    cat "$folder/configure.log" >&2
    fail "preset $preset could not be configured; see above"
  fi
  cmake --build "$folder" --parallel "$(compilers_at_once)" "$@" >&2 </dev/null ||
    fail "preset $preset could not be built; see above"
}
