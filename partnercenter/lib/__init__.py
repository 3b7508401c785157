"""What Django lacks, for every room: knows no model of ours."""
