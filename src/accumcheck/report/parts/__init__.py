"""What documents are made of: the rows, notes, sentences, cases and pictures of reports and of pairs of reports."""
