#include <iostream>

#include "halfstep/core/error.hpp"

int other_unit();

int main() {
  std::cout << halfstep::concat("consumer: ", 4, " bits") << '\n';
#if defined(CONSUMER_HAS_OTHER_UNIT)
  return other_unit();
#endif
}
