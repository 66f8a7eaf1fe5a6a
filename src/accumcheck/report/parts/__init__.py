"""The parts of documents: rows, notes, sentences, cases and pictures of reports and pairs of reports."""
