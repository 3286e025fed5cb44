#pragma once

/// \file
/// What each of the differently compiled units of the link test offers: plain data, so that nothing but the library
/// itself could be shared between them.

#include <cstdint>

struct LinkUnit {
  const char* flags;                               ///< as the build names them
  const char* isa;                                 ///< as the library names them
  const char* (*missing)();                        ///< what this machine lacks to run `checksum`, or null
  std::uint64_t (*checksum)();                     ///< of codes and products
  const char* (*message)(char* buffer, int size);  ///< of an error, or null where errors are not exceptions
};
