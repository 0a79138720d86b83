// Package proposal keeps a bot's branch, and the one pull request for it, on top of the tip of a base
// branch.
//
// A bot states in each run what it wants a part of the tree to be. [Bot.Keep] makes the branch hold
// that, as one commit:
//
//   - The pull request holds what the base would hold if each run had been merged at once. What the
//     branch has beyond the base ([Held]) stays unless the run states otherwise, and unless the base
//     has something newer in its place: the base wins, because it changed after the branch was made.
//   - A pull request that people merged or closed is decided. What its branch had beyond the base is
//     not proposed again by itself.
//   - Commits of other people on the branch are never lost: Keep fails with [ErrEdited]. A merge of
//     the base, or a rebase onto it, as the forge's "Update branch" makes, is no such commit.
//   - When the base has all of it, the pull request is closed with the reason.
//   - Each push is a compare-and-swap against the branch as it was read. Base and branch are read
//     again afterwards; when one has moved, everything is worked out again.
//
// A commit of a bot is known by one trailer, which names the bot, the commit's parent and its tree.
// A commit that somebody amended has another tree, and counts as theirs.
//
// Without a forge (push mode), the same change becomes a commit on the base itself.
package proposal
