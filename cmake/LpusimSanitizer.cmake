# SPDX-License-Identifier: BSD-3-Clause
# Target lpusim_sanitizer, linked by every executable: empty but in builds with LPUSIM_SANITIZE, where it keeps the
# plugins of Open MPI loaded so that the leak checker can tell their leaks from ours.
add_library(lpusim_sanitizer INTERFACE)
if(LPUSIM_SANITIZE)
  target_sources(lpusim_sanitizer INTERFACE "${CMAKE_SOURCE_DIR}/tests/sanitizer/dlclose.c")
endif()
