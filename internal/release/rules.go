package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/version"
)

// Rules are those of the cocogitto config that the commit has at a path, and
// those that hold by themselves when the path is empty. The config's tag prefix
// counts where the options set none, and so do its packages where they set no paths.
func (c *Code) Rules(ctx context.Context, cog string, decode version.Decoder) (version.Rules, error) {
	if cog == "" {
		return version.Default(), nil
	}
	data, err := c.config(ctx, cog)
	if err != nil {
		return version.Rules{}, err
	}
	rules, err := version.ParseCog(data, decode)
	if err != nil {
		return version.Rules{}, fmt.Errorf("%s: %w", cog, err)
	}
	for _, text := range rules.Warnings {
		c.logf("warning: %s: %s", cog, text)
	}
	c.packages = rules.Packages
	if c.o.TagPrefix == "" && rules.TagPrefix != "" {
		err = c.setTagPrefix(rules.TagPrefix)
	}
	return rules, err
}

// Cliff is the configuration of git-cliff that the commit has at a path, and nil when the path is empty. It logs what of it is not
// read.
func (c *Code) Cliff(ctx context.Context, name string, decode version.Decoder) (*version.Cliff, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // documented
	}
	data, err := c.config(ctx, name)
	if err != nil {
		return nil, err
	}
	cliff, err := version.ParseCliff(data, decode)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(cliff.Unread) > 0 {
		c.logf("%s: groups, skips, scopes and the order are read, and these settings are not: %s", name, strings.Join(cliff.Unread, ", "))
	}
	return cliff, nil
}

// config reads a file of the commit that somebody has named.
func (c *Code) config(ctx context.Context, name string) ([]byte, error) {
	data, err := c.file(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the commit has no file %s", name)
	}
	return data, err
}

// setTagPrefix changes the prefix, for rules that are in the repository itself.
func (c *Code) setTagPrefix(prefix string) error {
	c.o.TagPrefix = prefix
	refs, err := c.local.Refs()
	if err != nil {
		return err
	}
	c.localTags = Tags(refs, prefix)
	return nil
}

// TagPrefix is what stands before the version in a new tag: what the options or
// the rules say, or else what the tag of the highest version has.
func (c *Code) TagPrefix(ctx context.Context) (string, error) {
	if c.o.TagPrefix != "" {
		return c.o.TagPrefix, nil
	}
	tags, err := c.Tags(ctx)
	if err != nil || len(tags) == 0 {
		return "", err
	}
	last := tags[0]
	return last.Name[:len(last.Name)-len(last.Version.String())], nil
}
