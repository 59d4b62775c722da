# SPDX-License-Identifier: BSD-3-Clause
# Target lpusim_hdf5: the parallel build of HDF5, or an error that says which one was found instead.
set(HDF5_PREFER_PARALLEL TRUE)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR
    "Found the serial HDF5 ${HDF5_VERSION} (${HDF5_C_LIBRARIES}); lpusim-mp writes one file from all "
    "ranks and needs the parallel build. On Debian: apt-get install libhdf5-openmpi-dev")
endif()
add_library(lpusim_hdf5 INTERFACE)
target_include_directories(lpusim_hdf5 SYSTEM INTERFACE ${HDF5_INCLUDE_DIRS})
target_compile_definitions(lpusim_hdf5 INTERFACE ${HDF5_DEFINITIONS})
target_link_libraries(lpusim_hdf5 INTERFACE ${HDF5_LIBRARIES} MPI::MPI_C)
