// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/attributes.h>

#ifdef gnuradio_meshnet_EXPORTS
#define MESHNET_API __GR_ATTR_EXPORT
#else
#define MESHNET_API __GR_ATTR_IMPORT
#endif
