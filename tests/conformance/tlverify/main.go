// Command tlverify checks a published log with golang.org/x/mod/sumdb alone:
// nothing of it was written for Homeward but the two places where the C2SP
// formats differ from those of the Go checksum database (tile names without
// the height, entry bundles with lengths) and the witness's cosignature.
//
// Usage: tlverify DIR LOG_VKEY [-old CHECKPOINT]... [-receipt FILE]... [-witness VKEY]...
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// tiles reads tiles from a directory, by their C2SP names.
type tiles struct{ root string }

func (t tiles) Height() int                      { return height }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte)  {}
func (t tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range want {
		data, err := os.ReadFile(filepath.Join(t.root, name(tile)))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func name(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	return "tile/" + strings.Replace(path, "data/", "entries/", 1)
}

// cosigner verifies a timestamped Ed25519 cosignature (C2SP tlog-cosignature).
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

func newCosigner(vkey string) cosigner {
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	check(err)
	expect(len(raw) == 33 && raw[0] == 4, "not a cosignature key")
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), raw...))
	return cosigner{parts[0], binary.BigEndian.Uint32(sum[:]), raw[1:]}
}

func check(err error) { expect(err == nil, fmt.Sprint(err)) }

func expect(holds bool, text string) {
	if !holds {
		fmt.Println("FAIL", text)
		os.Exit(1)
	}
}

func open(msg []byte, known note.Verifiers) (tlog.Tree, int) {
	signed, err := note.Open(msg, known)
	check(err)
	lines := strings.Split(signed.Text, "\n")
	expect(len(lines) == 4 && lines[0] == signed.Sigs[0].Name, "not a checkpoint of this log")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: root}, len(signed.Sigs)
}

func main() {
	root, vkey := os.Args[1], os.Args[2]
	log, err := note.NewVerifier(vkey)
	check(err)
	verifiers := []note.Verifier{log}
	var old, receipts []string
	for at := 3; at < len(os.Args); at += 2 {
		switch os.Args[at] {
		case "-old":
			old = append(old, os.Args[at+1])
		case "-receipt":
			receipts = append(receipts, os.Args[at+1])
		case "-witness":
			verifiers = append(verifiers, newCosigner(os.Args[at+1]))
		}
	}
	known := note.VerifierList(verifiers...)
	msg, err := os.ReadFile(filepath.Join(root, "checkpoint"))
	check(err)
	tree, signatures := open(msg, known)
	expect(signatures == len(verifiers), fmt.Sprintf("%d of %d signatures", signatures, len(verifiers)))
	reader := tlog.TileHashReader(tree, tiles{root})
	entries(root, tree, reader)
	for _, path := range old {
		msg, err := os.ReadFile(path)
		check(err)
		before, _ := open(msg, known)
		proof, err := tlog.ProveTree(tree.N, before.N, reader)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash))
	}
	for _, path := range receipts {
		receipt(path, known)
	}
	fmt.Printf("ok %d entries, %d signatures, %d older checkpoints, %d receipts\n", tree.N, signatures, len(old), len(receipts))
}

// entries checks every entry of every bundle against the authenticated tiles.
func entries(root string, tree tlog.Tree, reader tlog.HashReader) {
	for start := int64(0); start < tree.N; start += 1 << height {
		width := min(tree.N-start, 1<<height)
		bundle := tlog.Tile{H: height, L: -1, N: start >> height, W: int(width)}
		data, err := os.ReadFile(filepath.Join(root, name(bundle)))
		check(err)
		indexes := make([]int64, width)
		for at := range indexes {
			indexes[at] = tlog.StoredHashIndex(0, start+int64(at))
		}
		hashes, err := reader.ReadHashes(indexes)
		check(err)
		for at := range indexes {
			expect(len(data) >= 2, "torn bundle")
			end := 2 + int(binary.BigEndian.Uint16(data))
			expect(len(data) >= end, "torn bundle")
			expect(tlog.RecordHash(data[2:end]) == hashes[at], fmt.Sprintf("entry %d", start+int64(at)))
			data = data[end:]
		}
		expect(len(data) == 0, "a bundle is longer than its entries")
	}
}

// receipt checks a tlog-proof whose extra line begins with the 41 bytes of the leaf.
func receipt(path string, known note.Verifiers) {
	text, err := os.ReadFile(path)
	check(err)
	head, checkpoint, _ := bytes.Cut(text, []byte("\n\n"))
	tree, _ := open(checkpoint, known)
	lines := strings.Split(string(head), "\n")
	expect(lines[0] == "c2sp.org/tlog-proof@v1", "not a tlog-proof")
	extra, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	check(err)
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	check(err)
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		proof = append(proof, hash)
	}
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(extra[:41])))
}
