// A second translation unit with the same headers: a function that is not inline would be defined twice.
#include "halfstep/core/error.hpp"

int other_unit();

int other_unit() { return halfstep::concat(1, 2) == "12" ? 0 : 1; }
