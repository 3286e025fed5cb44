#pragma once

/// \file
/// The one place where the version is written; CMake reads it from here.

#define HALFSTEP_VERSION_MAJOR 0
#define HALFSTEP_VERSION_MINOR 1
#define HALFSTEP_VERSION_PATCH 0
