package support

import _ "unsafe" // want "support must not import unsafe"
