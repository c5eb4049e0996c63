package young
