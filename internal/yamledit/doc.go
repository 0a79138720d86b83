// Package yamledit changes single values of a YAML file, and the comments at the
// end of their lines, and not one byte beside them: blank lines, indentation,
// quotes, line endings, key order and other comments stay as they are.
//
//	f, err := yamledit.Parse(data, yamledit.Options{})
//	err = f.Set("images[name=api].digest", "sha256:…")
//	err = f.SetComment("images[name=api].digest", "# built from 1f3c2aa")
//	data, err = f.Bytes()
//
// What can't be changed in this way is refused with the reason: values behind an
// alias or a merge key, block scalars, keys that are there twice. Bytes parses
// its result again and gives it only if it differs from the input in exactly the
// values that were set.
//
// A path is keys with dots between them. A key with special characters is
// quoted, a list's item is chosen by its number from 0 or by one of its values:
//
//	image.digest
//	"app.kubernetes.io/name".value
//	containers[0].image
//	containers[name=api].image
package yamledit
