#define DOCTEST_CONFIG_IMPLEMENT // doctest.h may have been seen already, precompiled
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
