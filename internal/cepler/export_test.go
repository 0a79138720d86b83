package cepler

// CleanConfigPath is the plain form of a path, for tests.
func CleanConfigPath(p string) (string, error) { return cleanConfigPath(p) }

// ParseGlobs compiles patterns.
func ParseGlobs(patterns ...string) (Globs, error) {
	globs := make(Globs, 0, len(patterns))
	for _, p := range patterns {
		g, err := ParseGlob(p)
		if err != nil {
			return nil, err
		}
		globs = append(globs, g)
	}
	return globs, nil
}
