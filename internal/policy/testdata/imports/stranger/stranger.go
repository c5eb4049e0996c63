package stranger

import _ "example.test/bad/leaf/a" // want "package stranger has no row in mayImport"
